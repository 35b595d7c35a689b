// Package blob keeps files as objects of Amazon S3 and what speaks like it (s3://), of Google
// Cloud Storage (gs://) and of Azure Blob Storage (azblob://), for package data.
//
// A name is SCHEME://BUCKET/KEY, the key as it is, without percent-encoding. After it may
// stand the parameters of gocloud.dev/blob, as ?region=eu-west-3&endpoint=https://…: a
// question mark that no NAME=VALUE follows belongs to the key or pattern. Credentials come
// from where the services' own programs have them, environment variables first: AWS_…,
// AZURE_STORAGE_… and AZURE_…, GOOGLE_APPLICATION_CREDENTIALS. They are looked for when
// an object is first needed. Nothing of theirs, and no parameter, is in an error.
//
// # Reading
//
// A reading stands for one version of the object, the one that its Entry names: it goes on
// by range where it broke off, and fails with [data.ErrChanged] when the object was replaced.
//
// # Writing
//
// An object is written in parts of 8 MiB, and appears at Commit, in one step. A writer has
// one part in memory, and up to two on their way; of those all writers of a Store have four
// together: 40 MiB for one writer at most, 8 MiB more for each further one. An object has at
// most 10,000 parts.
//
// With S3 and Azure all bytes are there when Ready returns. Google takes the last part, which
// is the whole of a small object, at Commit. Abort takes back what was sent; a process
// that dies leaves parts that nobody sees: Azure and Google drop them after a week, S3 after
// what the bucket's rule for incomplete multipart uploads says.
//
// An object carries a random mark in its metadata (anaplanrunner), by which a Commit whose
// answer was lost is known to have worked.
package blob
