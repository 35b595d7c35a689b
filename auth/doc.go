// Package auth logs in to Anaplan and keeps one token alive for many requests.
//
// Three small types: a [Login] knows how to obtain a token ([Certificate], [Basic]); a [Source] holds the token, renews it early
// and lets one renewal serve all waiters; a [Transport] puts it on requests. Nothing in this package logs, and no error,
// event or warning holds a token, password, signature or key.
package auth
