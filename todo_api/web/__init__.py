"""What does every request and every answer have? Ids, headers, problem documents."""
