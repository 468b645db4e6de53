// Package store keeps small documents, such as the state of a rollout, where they outlive what uses them: in the memory
// of a process, in a file, or in a cluster of etcd.
package store
