"""What tests share: servers, builders and steps."""
