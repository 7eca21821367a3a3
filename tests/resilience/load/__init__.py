"""Many at once: crowds, storms of logins, races, and load for longer."""
