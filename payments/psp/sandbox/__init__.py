"""The sandbox PSP: a real HTTP service in a process of its own, with cards that behave as told."""

from payments.psp.sandbox.account import SandboxPsp

__all__ = ["SandboxPsp"]
