"""A toolbox for servers that speak Connect over aiohttp. It knows no program that uses it; README.md says how to."""
