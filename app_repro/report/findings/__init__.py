"""docs/findings.md: what the published records say of each study, in words that intervals choose. In reading order:

evidence     the campaign's runs that are published, by the settings of its presets
sentences    differences as a table, and what it shows, does not show and lacks, in words
studies      the studies: protocols, criteria, controls, granularities, patterns and flows
measured     what analyses of finished networks say: corruptions, geometry, regimes
shrinking    channels removed after training
streams      the long stream: the shape of its curve
summary      of each study what is shown, the largest first
claims       every claim, its verdict, and what the nearest runs measure
write        the page's generated parts by name
"""
