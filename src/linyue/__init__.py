"""The outside of Linyue 邻约: HTTP, pages, command line, scheduler, and the processes that run them."""
