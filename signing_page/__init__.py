"""Where a customer reads a contract and signs it, or declines: web pages for who holds the link of the mail.

A service that strangers reach, so it is small: it knows no store, only the command API and the query API. It runs
without script, keeps no session and sets no cookie: who has the link may do what the link is for, and nothing else.
"""
