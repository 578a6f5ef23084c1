"""The messages and services of the platform's API, generated from `schemas/` (CONTRIBUTING.md says how).

Written by hand: only this file. Change the `.proto` files, never the modules.
"""
