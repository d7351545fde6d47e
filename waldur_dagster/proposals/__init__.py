"""Calls for proposals: who reviews them, and what ends when its time is over."""
