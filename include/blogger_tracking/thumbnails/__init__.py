"""Downloading pictures from addresses that strangers chose."""
