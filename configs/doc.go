// Package configs reads job files and connections.toml into plain values, and reports
// everything that is wrong with them at once.
package configs
