// Package vault reads vault: references from the KV version 2 stores of HashiCorp Vault and OpenBao.
//
// A [Client] logs in when the first secret is needed: with a token, the token that an agent keeps in a file, an AppRole, or a
// Kubernetes service account. It reads every secret once, however many fields of it are asked for, until it is told to forget.
// A token that has ended is replaced, and the one of a login of ours is revoked by [Client.Close].
//
// What fails for the time being (no connection, 429, 5xx, a sealed server, an answer that breaks off) is repeated a few times
// with growing waits; then it is a [secret.FetchError] that is Temporary. Everything else is one that is not: each with what was
// asked, of which address, the server's own words, and what to do. Redirects are not followed: the token would follow them.
package vault
