// Package inventory puts the certificates of an organisation in order: what was found where becomes one list, most urgent first,
// with whom each logs in as, what is wrong with it, what to do, and in which order to renew.
//
// A [Builder] takes what was found, one by one, and keeps of a certificate only what is shown; [Builder.Build] returns the
// [Inventory]. It is plain data: written as JSON as it is, and by [Inventory.Text], [Inventory.CSV], [Inventory.Calendar] and
// [Inventory.Metrics]. [Look] says what a file holds. Nothing here reads a file, asks anybody, or looks at a clock.
package inventory
