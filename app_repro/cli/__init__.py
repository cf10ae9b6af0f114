"""The command line: a function per command, which calls its room. In reading order:

options      options that several commands share
ends         how a command ends: exit codes, and what is said on standard error
pipeline     the application; fetch, split, report, demo, preset, runs
runs         run, plan, merge
analyses     analyse
claims       verify, publish, power, reported, audit
networks     export, predict, shrink
machine      doctor, bench, gpu-check, wandb sync
readme       the generated parts of README.md and docs (`make readme`)
"""
