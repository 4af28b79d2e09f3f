package boltstore

import (
	"slices"
	"sort"
	"strings"
)

// names are strings that can be found by how they begin. A name is added once.
type names struct {
	sorted []string
	fresh  []string // the latest, unsorted
}

// mostFresh is how many names are looked through one by one.
const mostFresh = 128

func (n *names) add(name string) {
	if n.fresh = append(n.fresh, name); len(n.fresh) > mostFresh {
		n.settle()
	}
}

// settle sorts the latest names in.
func (n *names) settle() {
	slices.Sort(n.fresh)
	all := make([]string, 0, len(n.sorted)+len(n.fresh)+8*mostFresh)
	a, b := n.sorted, n.fresh
	for len(a) > 0 && len(b) > 0 {
		if a[0] < b[0] {
			all, a = append(all, a[0]), a[1:]
		} else {
			all, b = append(all, b[0]), b[1:]
		}
	}
	n.sorted = append(append(all, a...), b...)
	n.fresh = n.fresh[:0]
}

// all returns every name, sorted.
func (n *names) all() []string {
	n.settle()
	return n.sorted
}

// find calls found for each name that begins with a prefix and comes after the
// given one, in no order.
func (n *names) find(prefix, after string, found func(name string)) {
	i := sort.SearchStrings(n.sorted, max(prefix, after))
	for _, name := range n.sorted[i:] {
		if !strings.HasPrefix(name, prefix) {
			break
		}
		if name > after {
			found(name)
		}
	}
	for _, name := range n.fresh {
		if name > after && strings.HasPrefix(name, prefix) {
			found(name)
		}
	}
}
