// Package auth logs in to Anaplan and keeps one token alive for many requests.
//
// Three small types share the work. A [Login] knows how to obtain a token: [Certificate] signs a message with the key of a CA
// certificate, [Certificates] does so with one of several, [Basic] sends a password. A [Source] holds the token, renews it early,
// and lets one renewal serve all who wait. A [Transport] puts it on requests, and answers a 401 with a new login and one repetition:
//
//	id, err := keystore.Files{CertificatePath: "batch.pem", KeyPath: "batch.key"}.Load()
//	…
//	source := auth.NewSource(auth.SourceOptions{
//		Login:  auth.Certificate{Identity: id},
//		Client: &http.Client{Transport: base},
//		Base:   "https://auth.anaplan.com",
//	})
//	defer source.Logout(context.WithoutCancel(ctx))
//	client := &http.Client{Transport: &auth.Transport{Source: source, Base: base, Hosts: []string{"https://api.anaplan.com"}}}
//
// # The life of a token
//
//	none ──login──▶ alive ──a seventh left──▶ renewed by refresh, else by login
//	                  │
//	                  ├──401 to its value──▶ dead ──login──▶ alive
//	                  └──its last second───▶ dead
//
// Each login and each refresh begins a generation. A 401 is reported by the generation that was sent; it ends the token if that
// generation had the value we hold now, because a refresh mostly gives the same value back (anaplan-api.md 2.5). While a token
// is alive, an auth host that is down costs callers little: a refresh, one login, then the old token for a while. A refused login
// is final, so that no account is locked by persistence: of several certificates each may be refused once. There is one exception:
// a v2 message whose time was more than a minute from the Date of the refusal is signed once more with the server's time.
//
// Nothing in this package logs, and no error, event or warning holds a token, password, signature or key, not even where the
// server's text repeats one.
package auth
