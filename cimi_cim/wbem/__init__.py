"""The one door to WBEM. Knows no CIMI."""
