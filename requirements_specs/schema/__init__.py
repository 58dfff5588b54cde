"""The JSON Schema (draft-07) of a spec file as people write it, so that an editor completes and checks it."""
