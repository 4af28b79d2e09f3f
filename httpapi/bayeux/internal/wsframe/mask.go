package wsframe

import (
	"encoding/binary"
	"math/bits"
)

// unmask removes the mask from b and returns the mask for the bytes that come
// after b.
func unmask(b []byte, mask [4]byte) [4]byte {
	key := binary.LittleEndian.Uint32(mask[:])
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 32 {
		p := b[:32]
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^wide)
		binary.LittleEndian.PutUint64(p[8:], binary.LittleEndian.Uint64(p[8:])^wide)
		binary.LittleEndian.PutUint64(p[16:], binary.LittleEndian.Uint64(p[16:])^wide)
		binary.LittleEndian.PutUint64(p[24:], binary.LittleEndian.Uint64(p[24:])^wide)
		b = b[32:]
	}
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key)
		key = bits.RotateLeft32(key, -8)
	}
	binary.LittleEndian.PutUint32(mask[:], key)
	return mask
}
