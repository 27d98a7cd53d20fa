// Package specs holds example specs; its test keeps them valid.
package specs
