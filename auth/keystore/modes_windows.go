package keystore

// modesMean is false: Windows goes by access lists, which are not looked at.
const modesMean = false
