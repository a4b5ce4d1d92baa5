"""Webhooks: tell other programs what happened, by signed requests, and check the requests of git hosts.

    what happens ─► a row of `webhook_event`, or the journal ─► job "webhook-events": gather, one event for many rows
      ─► job "webhook": one event for one webhook ─► sender: resolve, check the address, sign, post

Guarantees that an event is committed with what it tells, that it is sent at least once and with the same id however
often, and that a webhook which does not answer delays no other job for long.
"""
