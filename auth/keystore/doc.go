// Package keystore turns files with certificates and private keys into an [Identity]: one certificate and a crypto.Signer.
//
// [Files] reads PKCS#1, PKCS#8, encrypted PKCS#8 and legacy encrypted PEM keys, and certificate files with or without a chain
// or the key; PKCS#12, by any tool, with any of its passwords missing; and Java key stores of type JKS, whose keys may have
// passwords of their own. What a file is, its content says. Everything that can be wrong with such files is found here, before
// any request is sent, and is a [*CertificateError] with the problem, and the command that repairs it.
//
// Key stores are read by code of this package, because what a file asks for must be bounded, and any key of it be chosen: the
// libraries there are read one key with one password, do what a damaged length or count says, or mistake letters outside ASCII
// in passwords. Nothing but decryption is done here; hashes and ciphers are the standard library's, but for RC2, which it lacks.
//
// A file with a private key that its group or others may read is refused: see [Files].AllowOpen.
package keystore
