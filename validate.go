package webconferencing

import (
	"strings"
	"unicode/utf8"
)

// The sizes that the wire contract allows.
const (
	maxID       = 255 // call, user, owner, client and participant ids
	maxTitle    = 255
	maxWord     = 32 // owner type, provider type, state
	maxSearch   = 255
	maxInvites  = 1000
	maxData     = 64 << 10 // bytes of one EventData
	searchLimit = 30
)

// ValidCallID tells whether an id can name a call: 1 to 255 of the characters
// that a Bayeux channel may have (letters, digits, space and
// ! # $ ( ) * + - . / @ _ { ~ }), with no empty segment between slashes and no
// segment that is a wildcard.
func ValidCallID(id CallID) bool { return validPath(string(id), true) }

// ValidUserID tells whether an id can name a user: as a call id, without "/".
func ValidUserID(id UserID) bool { return validPath(string(id), false) }

func validPath(id string, slashes bool) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '/' && slashes:
		case c != '/' && strings.IndexByte(" !#$()*+-.@_{~}", c) >= 0:
		default:
			return false
		}
	}
	for segment := range strings.SplitSeq(id, "/") {
		if strings.TrimSpace(segment) == "" || segment == "*" || segment == "**" {
			return false
		}
	}
	return true
}

func checkCallID(id CallID) error {
	switch {
	case id == "":
		return invalid("id", "is missing")
	case len(id) > maxID:
		return invalid("id", "is longer than %d characters", maxID)
	case !ValidCallID(id):
		return invalid("id", "has characters that a call id may not have")
	}
	return nil
}

// checkText looks at a string that people typed.
func checkText(field, s string, least, most int) error {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s):
		return invalid(field, "is not valid UTF-8")
	case n < least:
		return invalid(field, "is missing")
	case n > most:
		return invalid(field, "is longer than %d characters", most)
	}
	return nil
}

func checkUserID(field string, id UserID) error {
	if err := checkText(field, string(id), 1, maxID); err != nil {
		return err
	}
	if !ValidUserID(id) {
		return invalid(field, "has characters that a user id may not have")
	}
	return nil
}

// validActor looks at the acting user; commands of a device need its client
// id as well.
func validActor(by Actor, device bool) error {
	if by.User == "" {
		return denied("nobody is signed in")
	}
	if err := checkUserID("user", by.User); err != nil {
		return err
	}
	if device {
		return checkText("client", string(by.Client), 1, maxID)
	}
	return nil
}

func checkOwner(r Ref) error {
	switch r.Type {
	case OwnerUser, OwnerSpace, OwnerSpaceEvent, OwnerChatRoom:
	case "":
		return invalid("ownerType", "is missing")
	default:
		return invalid("ownerType", "is none of user, space, space_event, chat_room")
	}
	return checkText("owner", r.ID, 1, maxID)
}

// ValidProviderType tells whether a word can name a provider: 1 to 32
// lower-case ASCII letters, digits and "_".
func ValidProviderType(t string) bool {
	if t == "" || len(t) > maxWord {
		return false
	}
	for i := range len(t) {
		if c := t[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}
