"""The two listeners: public (webhooks, tracking API) and admin (health, metrics)."""
