package wsframe

import (
	"encoding/binary"
	"unicode/utf8"
)

// Kind is the kind of a message.
type Kind byte

// The two kinds of messages.
const (
	Text   Kind = 1
	Binary Kind = 2
)

const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

const (
	bitFin     = 0x80
	bitsRSV    = 0x70
	bitsOpcode = 0x0f
	bitControl = 0x08
	bitMask    = 0x80

	maxControlBytes = 125
	maxHeaderBytes  = 14 // two bytes, eight of length, four of mask
)

// header is what precedes a client's payload.
type header struct {
	fin    bool
	opcode byte
	mask   [4]byte
	length uint64
}

func (h *header) control() bool { return h.opcode&bitControl != 0 }

// parseFirst reads the first byte of a header.
func parseFirst(b byte) (h header, err error) {
	h.fin, h.opcode = b&bitFin != 0, b&bitsOpcode
	switch {
	case b&bitsRSV != 0:
		return h, broken("reserved bit is set")
	case h.opcode > opBinary && h.opcode < opClose || h.opcode > opPong:
		return h, broken("reserved opcode")
	case h.control() && !h.fin:
		return h, broken("fragmented control frame")
	}
	return h, nil
}

// parseRest reads the header that begins b and whose first byte is known. It
// returns 0 if b is too short, and finds a fault as soon as it is there.
func parseRest(h header, b []byte) (_ header, n int, err error) {
	if len(b) == 1 {
		return h, 0, nil
	}
	size := b[1] &^ bitMask
	switch {
	case b[1]&bitMask == 0:
		return h, 0, broken("frame is not masked")
	case h.control() && size > maxControlBytes:
		return h, 0, broken("control frame is too long")
	}
	n = 2
	switch size {
	case 126:
		if n = 4; len(b) < n {
			return h, 0, nil
		}
		h.length = uint64(binary.BigEndian.Uint16(b[2:]))
		if h.length < 126 {
			return h, 0, broken("length is not in its shortest form")
		}
	case 127:
		if n = 10; len(b) < n {
			return h, 0, nil
		}
		h.length = binary.BigEndian.Uint64(b[2:])
		if h.length>>63 != 0 || h.length < 1<<16 {
			return h, 0, broken("length is not in its shortest form")
		}
	default:
		h.length = uint64(size)
	}
	if len(b) < n+len(h.mask) {
		return h, 0, nil
	}
	copy(h.mask[:], b[n:])
	return h, n + len(h.mask), nil
}

func broken(reason string) error { return breach(CodeProtocol, reason) }

// breach is the error for an other end that breaks a rule.
func breach(code int, reason string) error { return &CloseError{Code: code, Reason: reason} }

// appendHeader appends the header of a final frame of the server.
func appendHeader(dst []byte, opcode byte, length int) []byte {
	dst = append(dst, bitFin|opcode)
	switch {
	case length < 126:
		return append(dst, byte(length))
	case length < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(dst, 127), uint64(length))
	}
}

// AppendText appends a text message in one frame, ready for
// [Conn.WriteFrames]. The payload must be valid UTF-8, which is not checked.
func AppendText(dst, payload []byte) []byte {
	return append(appendHeader(dst, opText, len(payload)), payload...)
}

// AppendBinary appends a binary message in one frame, ready for
// [Conn.WriteFrames].
func AppendBinary(dst, payload []byte) []byte {
	return append(appendHeader(dst, opBinary, len(payload)), payload...)
}

// HeaderRoom is the number of bytes that [FinishText] needs before the payload.
const HeaderRoom = 10

// FinishText makes a frame of a text message in place: b is HeaderRoom bytes of
// any content and then the payload. The result is the end of b, ready for
// [Conn.WriteFrames]; the payload in it has not moved.
func FinishText(b []byte) []byte {
	var header [HeaderRoom]byte
	h := appendHeader(header[:0], opText, len(b)-HeaderRoom)
	at := HeaderRoom - len(h)
	copy(b[at:], h)
	return b[at:]
}

// validCode reports whether a close code may stand in a close frame.
func validCode(code int) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014:
		return true
	default:
		return code >= 3000 && code <= 4999
	}
}

// parseClose reads the payload of a close frame.
func parseClose(p []byte) (code int, reason string, err error) {
	switch {
	case len(p) == 0:
		return CodeNoStatus, "", nil
	case len(p) == 1:
		return 0, "", broken("close code is cut off")
	}
	code = int(binary.BigEndian.Uint16(p))
	if !validCode(code) {
		return 0, "", broken("close code is not allowed")
	}
	if !utf8.Valid(p[2:]) {
		return 0, "", breach(CodeInvalidText, "close reason is not UTF-8")
	}
	return code, string(p[2:]), nil
}

// appendClose appends a close frame. A reason that is too long is cut.
func appendClose(dst []byte, code int, reason string) []byte {
	if code == CodeNoStatus {
		return appendHeader(dst, opClose, 0)
	}
	const most = maxControlBytes - 2
	if len(reason) > most {
		end := most
		for !utf8.RuneStart(reason[end]) {
			end--
		}
		reason = reason[:end]
	}
	dst = appendHeader(dst, opClose, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}
