"""Tests of the vehicle room."""
