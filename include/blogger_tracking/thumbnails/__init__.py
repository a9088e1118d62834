"""SSRF-safe download of thumbnails from URLs that the project does not control."""
