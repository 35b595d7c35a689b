// Package anaplan speaks Anaplan's Integration API 2.0.
//
// A [Client] is given an http.Client that adds the authorization; [NewHTTPClient]
// composes one in the right order. Every call has one method, and one file per part of
// the API. Lists are iterators that page by the number of rows received. Refusals are
// an [*Error], told apart with errors.Is; the start of a task, which must never be
// repeated blindly, fails with a [*StartError].
package anaplan
