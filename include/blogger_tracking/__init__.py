"""Tracks creators on TikTok, Instagram and YouTube for organizations, within their subscriptions."""
