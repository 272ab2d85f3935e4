"""Dashboards for Grafana, with scrape configuration and rules for Prometheus.

What they show is written down in `panels.py` and `pages.py`; `write.py` makes the files in grafana/ of it.
"""
