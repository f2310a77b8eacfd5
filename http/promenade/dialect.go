package promenade

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"gesta/commands"
	"gesta/domain"
	"gesta/domain/crm"
	"gesta/domain/identity"
	"gesta/http/web"
)

// dialect puts what it answers into an envelope that says how it went.
var dialect = web.Dialect{
	Envelope: func(_ http.Header, shown any) any {
		l, ok := shown.(web.Listed)
		if !ok {
			return map[string]any{"status": "success", "data": shown}
		}
		items, page, total := l.Listing()
		return map[string]any{"status": "success", "data": items, "pagination": pagination{
			Total: total, Page: page.Number, PageSize: page.Size, TotalPages: (total + page.Size - 1) / page.Size,
		}}
	},
	Fault: func(f *domain.Fault) web.Body {
		return web.Body{Type: web.JSON, Value: refusal{Status: "error", Error: problem{codeOf(f), textOf(f)}}}
	},
}

// pagination says which page of a list is shown.
type pagination struct {
	// Items on all pages.
	Total int `json:"total"`
	// Counted from 1.
	Page       int `json:"page"`
	PageSize   int `json:"page_size"`
	TotalPages int `json:"total_pages"`
}

// refusal is how every refusal looks.
type refusal struct {
	Status string  `json:"status" enum:"error"`
	Error  problem `json:"error"`
}

// problem is what is wrong.
type problem struct {
	// For programs.
	Code string `json:"code"`
	// For people.
	Message string `json:"message"`
}

// said answers with nothing but a message.
type said struct {
	Message string `json:"message"`
}

// codes are the document's words for refusals that have one of their own.
var codes = map[string]string{
	identity.ErrUserNotFound.Code:   "USER_NOT_FOUND",
	identity.ErrEmailTaken.Code:     "EMAIL_ALREADY_EXISTS",
	identity.ErrRefreshExpired.Code: "TOKEN_EXPIRED",
	identity.ErrRefreshRevoked.Code: "TOKEN_REVOKED",
	commands.ErrTokenExpired.Code:   "TOKEN_EXPIRED",
	commands.ErrTokenRevoked.Code:   "TOKEN_REVOKED",
	crm.ErrCustomerNotFound.Code:    "CUSTOMER_NOT_FOUND",
}

// kinds are the document's words for all others. What it has no word for is spelled as its own are.
var kinds = map[domain.Kind]string{
	domain.Internal:        "INTERNAL_ERROR",
	domain.Invalid:         "VALIDATION_ERROR",
	domain.Unauthenticated: "UNAUTHORIZED",
	domain.Forbidden:       "FORBIDDEN",
	domain.NotFound:        "NOT_FOUND",
	domain.Conflict:        "CONFLICT",
	domain.TooMany:         "RATE_LIMIT_EXCEEDED",
}

func codeOf(f *domain.Fault) string {
	return cmp.Or(codes[f.Code], kinds[f.Kind], strings.ToUpper(f.Code))
}

// textOf is a sentence, with all that is wrong with fields.
func textOf(f *domain.Fault) string {
	if f.Kind == domain.TooMany {
		return fmt.Sprintf("Rate limit exceeded. Try again in %d seconds.", f.RetrySeconds())
	}
	text := f.Text
	for i, field := range f.Fields {
		between := "; "
		if i == 0 {
			between = ": "
		}
		text += between + field.Name + " " + field.Text
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}
