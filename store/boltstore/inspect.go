package boltstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
)

// bbolt trusts its pages. A flipped bit in a list of free pages makes it
// overwrite good ones, and one in a length makes it ask for more memory than
// there is, which no recover can catch. Its own check runs in a goroutine that
// can take the process down. So inspect walks the pages itself, with plain
// reads of the file, before anything is written to it.
//
// The format is that of bbolt's version 2 files, in the byte order of the
// machine: a page has a header of id (8 bytes), flags (2), count (2) and
// overflow (4), then elements, whose offsets count from the element itself.
const (
	pageHeader    = 16
	pageElement   = 16
	branchPage    = 0x01
	leafPage      = 0x02
	freelistPage  = 0x10
	bucketElement = 0x01
	bucketHeader  = 16
	mostDepth     = 64
	longestKey    = 32768
)

// inspector looks at the pages of one file.
type inspector struct {
	file     io.ReaderAt
	pageSize int64
	high     uint64   // the number of pages
	seen     []uint64 // a bit for each page that is in use or free
}

func broken(page uint64, format string, args ...any) error {
	return fmt.Errorf("%w: page %d: %s", ErrDamaged, page, fmt.Sprintf(format, args...))
}

// inspect returns an error that wraps ErrDamaged if the pages of a database
// file do not fit together. It needs a bit of memory for each page. setBack
// tells that one of the two meta pages is not valid: if it was the newer one,
// the file has fallen back to its state before the last commit.
func inspect(file io.ReaderAt, pageSize int) (setBack bool, err error) {
	in := &inspector{file: file, pageSize: int64(pageSize)}
	root, freelist, setBack, err := in.meta()
	if err != nil {
		return false, err
	}
	in.seen = make([]uint64, in.high/64+1)
	if err := in.tree(root, nil, nil, 0); err != nil {
		return setBack, err
	}
	return setBack, in.free(freelist)
}

// meta finds the newer of the two valid meta pages.
func (in *inspector) meta() (root, freelist uint64, setBack bool, err error) {
	const length, sum = 64, 56
	var newest uint64
	for i := range int64(2) {
		b := make([]byte, length)
		if _, err := in.file.ReadAt(b, i*in.pageSize+pageHeader); err != nil {
			return 0, 0, false, err
		}
		h := fnv.New64a()
		h.Write(b[:sum])
		number := func(at int) uint64 { return binary.NativeEndian.Uint64(b[at:]) }
		if h.Sum64() != number(sum) {
			setBack = true
			continue
		}
		if in.high > 0 && number(48) < newest {
			continue
		}
		root, freelist, in.high, newest = number(16), number(32), number(40), number(48)
	}
	if in.high == 0 {
		return 0, 0, false, broken(0, "no valid meta page")
	}
	return root, freelist, setBack, nil
}

// claim notes that a page and those that overflow from it are in use, which
// must not be so yet.
func (in *inspector) claim(page, overflow uint64) error {
	if page < 2 || page >= in.high || overflow >= in.high-page {
		return broken(page, "%d pages are outside the file's %d", overflow+1, in.high)
	}
	for p := page; p <= page+overflow; p++ {
		if in.seen[p/64]&(1<<(p%64)) != 0 {
			return broken(p, "used twice")
		}
		in.seen[p/64] |= 1 << (p % 64)
	}
	return nil
}

// page is a page, or the inline page of a small bucket.
type page struct {
	id       uint64
	flags    uint16
	count    int
	overflow uint64
	head     []byte // its beginning
	size     int64
	read     func(b []byte, off int64) error // what is not in head
}

// open reads a page of the file.
func (in *inspector) open(id uint64) (*page, error) {
	if id >= in.high {
		return nil, broken(id, "outside the file's %d pages", in.high)
	}
	p := &page{id: id, head: make([]byte, in.pageSize)}
	start := int64(id) * in.pageSize
	if _, err := in.file.ReadAt(p.head, start); err != nil {
		return nil, err
	}
	p.read = func(b []byte, off int64) error {
		_, err := in.file.ReadAt(b, start+off)
		return err
	}
	p.parse()
	if have := binary.NativeEndian.Uint64(p.head); have != id {
		return nil, broken(id, "says it is %d", have)
	}
	p.size = int64(p.overflow+1) * in.pageSize
	return p, in.claim(id, p.overflow)
}

// parse reads the header but the id.
func (p *page) parse() {
	p.flags = binary.NativeEndian.Uint16(p.head[8:])
	p.count = int(binary.NativeEndian.Uint16(p.head[10:]))
	p.overflow = uint64(binary.NativeEndian.Uint32(p.head[12:]))
}

// at returns n bytes of the page, of which n is known to be small.
func (p *page) at(off, n int64) ([]byte, error) {
	switch {
	case off < pageHeader || n < 0 || off+n > p.size:
		return nil, broken(p.id, "an element reaches to %d of %d bytes", off+n, p.size)
	case off+n <= int64(len(p.head)):
		return p.head[off : off+n], nil
	}
	b := make([]byte, n)
	return b, p.read(b, off)
}

// element is an element of a branch or leaf page.
type element struct {
	key   []byte
	child uint64 // of a branch
	value []byte // of a leaf, if it is a bucket
	isSub bool
}

func (p *page) element(i int) (element, error) {
	off := int64(pageHeader + i*pageElement)
	head, err := p.at(off, pageElement)
	if err != nil {
		return element{}, err
	}
	number := func(at int) int64 { return int64(binary.NativeEndian.Uint32(head[at:])) }
	var e element
	var pos, ksize, vsize int64
	if p.flags == branchPage {
		pos, ksize, e.child = number(0), number(4), binary.NativeEndian.Uint64(head[8:])
	} else {
		e.isSub = number(0)&bucketElement != 0
		pos, ksize, vsize = number(4), number(8), number(12)
	}
	if ksize > longestKey {
		return e, broken(p.id, "a key has %d bytes", ksize)
	}
	if off+pos+ksize+vsize > p.size {
		return e, broken(p.id, "an element reaches to %d of %d bytes", off+pos+ksize+vsize, p.size)
	}
	if e.key, err = p.at(off+pos, ksize); err != nil || !e.isSub {
		return e, err
	}
	if vsize < bucketHeader || vsize > int64(bucketHeader+len(p.head)) {
		return e, broken(p.id, "a bucket has %d bytes", vsize)
	}
	e.value, err = p.at(off+pos+ksize, vsize)
	return e, err
}

// tree walks the pages under a page, whose keys must be at least least and
// below the limit, unless these are nil.
func (in *inspector) tree(id uint64, least, limit []byte, depth int) error {
	if depth > mostDepth {
		return broken(id, "too deep")
	}
	p, err := in.open(id)
	if err != nil {
		return err
	}
	return in.elements(p, least, limit, depth)
}

func (in *inspector) elements(p *page, least, limit []byte, depth int) error {
	if p.flags != branchPage && p.flags != leafPage || p.flags == branchPage && p.count == 0 {
		return broken(p.id, "has flags %#x and %d elements", p.flags, p.count)
	}
	var next element
	for i := range p.count {
		e := next
		var err error
		if i == 0 {
			if e, err = p.element(0); err != nil {
				return err
			}
		}
		if bytes.Compare(e.key, least) < 0 || limit != nil && bytes.Compare(e.key, limit) >= 0 {
			return broken(p.id, "key %d is out of order", i)
		}
		end := limit
		if i+1 < p.count {
			if next, err = p.element(i + 1); err != nil {
				return err
			}
			if bytes.Compare(e.key, next.key) >= 0 {
				return broken(p.id, "key %d is out of order", i+1)
			}
			end = next.key
		}
		switch {
		case p.flags == branchPage:
			err = in.tree(e.child, e.key, end, depth+1)
		case e.isSub:
			err = in.bucket(p, e.value, depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bucket walks a bucket, whose pages are elsewhere or which is a page itself.
func (in *inspector) bucket(within *page, value []byte, depth int) error {
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return in.tree(root, nil, nil, depth)
	}
	inline := value[bucketHeader:]
	if len(inline) < pageHeader {
		return broken(within.id, "an inline bucket has %d bytes", len(inline))
	}
	p := &page{id: within.id, head: inline, size: int64(len(inline))}
	p.parse()
	if p.flags != leafPage {
		return broken(p.id, "an inline bucket has flags %#x", p.flags)
	}
	return in.elements(p, nil, nil, depth)
}

// free reads the list of free pages, none of which may be in use.
func (in *inspector) free(id uint64) error {
	p, err := in.open(id)
	if err != nil {
		return err
	}
	if p.flags != freelistPage {
		return broken(id, "has flags %#x, wanted the free list", p.flags)
	}
	first, count := int64(pageHeader), int64(p.count)
	if p.count == 0xFFFF {
		b, err := p.at(first, 8)
		if err != nil {
			return err
		}
		first, count = first+8, int64(binary.NativeEndian.Uint64(b))
	}
	if count < 0 || count > p.size/8 {
		return broken(id, "lists %d free pages", count)
	}
	for i := range count {
		b, err := p.at(first+8*i, 8)
		if err != nil {
			return err
		}
		if err := in.claim(binary.NativeEndian.Uint64(b), 0); err != nil {
			return err
		}
	}
	return nil
}
