"""The platform's services: automation, environment, events, identity. The wire's words and ours meet here."""
