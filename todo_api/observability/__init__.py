"""What do operators see? Log lines, metrics, health checks; the dashboard and the alert rules."""
