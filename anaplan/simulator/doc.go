// Package simulator is a small Anaplan: an http.Handler that keeps workspaces, models, files and tasks,
// and answers the authentication service and the Integration API as anaplan-api.md describes them.
package simulator
