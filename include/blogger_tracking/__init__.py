"""Tracking of creators on TikTok, Instagram and YouTube for organizations, within the limits of subscriptions."""
