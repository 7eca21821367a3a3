"""What the metrics say, and the alerts and the dashboard on them."""
