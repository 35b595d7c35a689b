// Package configs reads job files and connections.toml into plain values, and reports
// everything that is wrong with them at once.
//
// [Load] and [Parse] give a [Job]: the file as it is written, checked as far as that is
// possible without a login and without values. [Job.ParamValues] takes what the caller
// gave with --param, and [Job.Expand] returns the job of one run: every ${…} replaced,
// every for_each unfolded, every path absolute. [LoadConnections] finds and reads the
// connections.toml, and [Job.ConnectionFor] says how a step logs in. Nothing here logs in,
// resolves a secret or knows what stands in a model.
//
// # Errors
//
// What is wrong in a file is a [Problems]: each with file, line, key, what is wrong and
// what to write instead, sorted as a person reads. What the caller gave wrongly is a
// [*ParamError]. Both may come back joined. No message repeats a value that could be a
// secret.
//
// # Values
//
// A ${…} may stand in every string but names, secret references and words from a fixed
// list: ${params.NAME}, ${env.NAME}, ${run.id}, ${each.NAME} and ${run.date}, the last with
// shifts of days, months and business days, one after the other, and a format as of
// strftime with English names: ${run.date-1m-1bd:%b %y}. A month too short for the day
// gives its last day. $${ is a literal ${. In [params] a default may hold ${run.…} and
// ${env.…}. connections.toml holds no values.
//
// A value from the caller, of a parameter or the run id, never holds a separator or ..
// where it goes into a path, nor ? # % @ in a URL; the environment and for_each may: who
// can set them can write the job file.
//
// Business days are Monday to Friday without the dates of the job's calendar. Expand
// reads it, and its dates are kept with the run.
//
// # Places
//
// A source is a path, a pattern with * ? or […], or a URL: https, s3, gs or azblob; what
// is written is a path or a URL of the last three. Behind an object's name a ? begins a
// query only as ?NAME=VALUE. Relative paths are relative to the job file,
// but the folder that an object is moved to is relative to the object. Messages repeat no
// user and no query of a URL.
//
// # Keys
//
// Tables of keys (type shape) are the one source for decoding, for hints, and for the JSON
// Schemas that [Schema] and [ConnectionsSchema] return. A key whose function comes later is
// in its table too, and refused as not available yet. [Examples] are files to start from.
package configs
