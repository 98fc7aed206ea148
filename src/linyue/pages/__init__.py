"""The pages: server-rendered, on the same two doors as the API, whole without any script."""
