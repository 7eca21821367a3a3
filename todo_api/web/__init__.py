"""What does every request and every answer have? Ids, headers, bodies, problem documents."""
