// Command anaplan-runner runs batch jobs against Anaplan models.
package main

func main() {}
