// Package secret holds values that must never be printed, and the references by which configuration names them.
//
// A [Value] shows itself as "[redacted]" to fmt, JSON, TOML and logrus, also from inside other structs; only [Value.Reveal]
// gives the bytes. A [Ref] such as "file:/run/secrets/pass", "env:ANAPLAN_PASS" or "cmd:pass show anaplan" says where a value
// comes from and is not secret itself: it may stand in job files, logs and ledgers. A [Resolver] turns a Ref into a Value
// at the moment the value is needed, and with a [Cache] only once in a run. A reference such as "vault:anaplan/prod#passphrase"
// needs a [VaultReader], as package auth/secret/vault has one. No error of this package repeats a value, or what a command printed.
package secret
