package jitsi

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"

	"github.com/webconferencing/webconferencing"
)

// sealer makes names that tell outsiders nothing and that only a holder of the
// secret can make or read. The same content always has the same name, so all
// nodes agree without talking to each other. The name is the content's MAC,
// which is also the initial counter of its encryption.
type sealer struct {
	macKey []byte
	block  cipher.Block
}

const sealTag = 16 // bytes of the MAC; as many as a counter block has

func newSealer(secret []byte, purpose string) (*sealer, error) {
	keys, err := hkdf.Key(sha256.New, secret, nil, "webconferencing jitsi "+purpose, 64)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(keys[32:])
	if err != nil {
		return nil, err
	}
	return &sealer{macKey: keys[:32], block: block}, nil
}

func (s *sealer) tag(plain []byte) []byte {
	mac := hmac.New(sha256.New, s.macKey)
	mac.Write(plain)
	return mac.Sum(nil)[:sealTag]
}

func (s *sealer) seal(plain []byte) []byte {
	sealed := append(s.tag(plain), plain...)
	cipher.NewCTR(s.block, sealed[:sealTag]).XORKeyStream(sealed[sealTag:], plain)
	return sealed
}

func (s *sealer) open(sealed []byte) ([]byte, bool) {
	if len(sealed) < sealTag {
		return nil, false
	}
	plain := make([]byte, len(sealed)-sealTag)
	cipher.NewCTR(s.block, sealed[:sealTag]).XORKeyStream(plain, sealed[sealTag:])
	return plain, hmac.Equal(sealed[:sealTag], s.tag(plain))
}

// run is one run of a call; epoch 0 stands for all of them.
type run struct {
	call  webconferencing.CallID
	epoch uint64
}

// maxName bounds what is read as a name; longer ones are none of ours.
const maxName = 2048

// Rooms are compared in lower case, so their names have one case only.
var roomAlphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// roomOf names the room of a call's run.
func (p *Provider) roomOf(c *webconferencing.Call) string {
	epoch := c.Epoch
	if p.opts.StableRooms {
		epoch = 0
	}
	plain := binary.AppendUvarint(nil, epoch)
	return roomAlphabet.EncodeToString(p.rooms.seal(append(plain, c.ID...)))
}

// runOf reads a room's name.
func (p *Provider) runOf(room string) (run, bool) {
	if len(room) > maxName {
		return run{}, false
	}
	sealed, err := roomAlphabet.DecodeString(room)
	if err != nil {
		return run{}, false
	}
	plain, ok := p.rooms.open(sealed)
	if !ok {
		return run{}, false
	}
	epoch, n := binary.Uvarint(plain)
	if n <= 0 || n == len(plain) {
		return run{}, false
	}
	return run{call: webconferencing.CallID(plain[n:]), epoch: epoch}, true
}

// occupant is whose connection to a room it is.
type occupant struct {
	run
	user webconferencing.UserID
	seat webconferencing.SeatID
}

// occupantID names a device to the server. Everybody in the room sees the
// name, and a seat is a secret of its device: it is sealed.
func (p *Provider) occupantID(o occupant) string {
	plain := binary.AppendUvarint(nil, o.epoch)
	for _, part := range []string{string(o.call), string(o.user), string(o.seat)} {
		plain = binary.AppendUvarint(plain, uint64(len(part)))
		plain = append(plain, part...)
	}
	return base64.RawURLEncoding.EncodeToString(p.occupants.seal(plain))
}

func (p *Provider) occupantOf(id string) (occupant, bool) {
	if len(id) > maxName {
		return occupant{}, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		return occupant{}, false
	}
	plain, ok := p.occupants.open(sealed)
	if !ok {
		return occupant{}, false
	}
	epoch, n := binary.Uvarint(plain)
	if n <= 0 {
		return occupant{}, false
	}
	plain = plain[n:]
	var parts [3]string
	for i := range parts {
		size, n := binary.Uvarint(plain)
		if n <= 0 || size > uint64(len(plain)-n) {
			return occupant{}, false
		}
		parts[i] = string(plain[n : n+int(size)])
		plain = plain[n+int(size):]
	}
	return occupant{
		run:  run{call: webconferencing.CallID(parts[0]), epoch: epoch},
		user: webconferencing.UserID(parts[1]), seat: webconferencing.SeatID(parts[2]),
	}, len(plain) == 0
}
