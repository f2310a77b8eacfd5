package value

// Country is the alpha-2 code of a country in ISO 3166-1, in upper case, such as "UA". Package reference knows which
// there are.
type Country string

// Language is a code of ISO 639-1, in lower case, such as "uk".
type Language string

// TimeZone is the name of a time zone in IANA's database, such as "Europe/Kyiv", and never another name for one.
type TimeZone string

// Currency is a code of ISO 4217, in upper case, such as "UAH".
type Currency string
