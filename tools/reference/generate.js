// Writes the public reference data: countries, currencies, languages and time zones, each with its sources' versions.
// The same packages write the same bytes. Run it by `make reference`.
import {readFileSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {iso6393} from 'iso-639-3';
import moment from 'moment-timezone';

const require = createRequire(import.meta.url);
const iso6391 = require('iso-639-1');
const iso4217 = require('currency-codes/data');
const phones = require('libphonenumber-js/metadata.min.json');
const places = require('moment-timezone/data/meta/latest.json');

const supplemental = name => require(`cldr-core/supplemental/${name}.json`).supplemental[name];
const codes = supplemental('codeMappings');
const money = supplemental('currencyData');
const containment = supplemental('territoryContainment');
const likely = supplemental('likelySubtags');
const {scriptMetadata} = require('cldr-core/scriptMetadata.json');
const zones = require('cldr-bcp47/bcp47/timezone.json').keyword.u.tz;

const languageNames = locale => require(`cldr-localenames-full/main/${locale}/languages.json`).main[locale].localeDisplayNames.languages;
const territoryNames = locale => require(`cldr-localenames-full/main/${locale}/territories.json`).main[locale].localeDisplayNames.territories;
const currencyNames = locale => require(`cldr-numbers-full/main/${locale}/currencies.json`).main[locale].numbers.currencies;
const zoneNames = locale => require(`cldr-dates-full/main/${locale}/timeZoneNames.json`).main[locale].dates.timeZoneNames.zone;

const both = read => ({en: read('en'), uk: read('uk')});
const languages = both(languageNames);
const territories = both(territoryNames);
const currencies = both(currencyNames);
const cities = both(zoneNames);

const byCode = (a, b) => (a.code < b.code ? -1 : 1);

// ISO leaves the numbers from 900 to whoever wants them, and CLDR gives them to what is no country of ISO's.
const isCountry = code => codes[code]?._alpha3 && Number(codes[code]._numeric) < 900;

const leaves = code => containment[code]?._contains.flatMap(leaves) ?? [code];

// The regions of the United Nations (M49), which has the Antarctic in none of them.
const regionOf = Object.fromEntries(containment['001']._contains.flatMap(region =>
	leaves(region).map(country => [country, country === 'AQ' ? 'Antarctica' : territories.en[region]])));

// CLDR lists first what is paid with most, and says when that ended.
const tender = country => (money.region[country] ?? [])
	.flatMap(Object.entries)
	.filter(([, use]) => use._tender !== 'false' && !use._to)
	.map(([currency]) => currency);

// Places without a numbering plan of their own, which libphonenumber therefore does not know, are reached by the plan that
// serves them (ITU, E.164). Bouvet, Heard and McDonald have nobody to call.
const servedBy = {AQ: '672', GS: '500', PN: '64', TF: '262', UM: '1'};
const callingCode = code => {
	const calling = phones.countries[code]?.[0] ?? servedBy[code];
	return calling ? '+' + calling : '';
};

const countries = Object.keys(regionOf).filter(isCountry).map(code => ({
	code,
	code3: codes[code]._alpha3,
	numeric_code: codes[code]._numeric,
	name: territories.en[code],
	name_uk: territories.uk[code],
	region: regionOf[code],
	phone_code: callingCode(code),
	currency_code: tender(code).find(c => c.startsWith(code)) ?? tender(code)[0] ?? '', // A country's own comes first.
	is_active: true,
})).sort(byCode);

const paidWith = new Set(countries.flatMap(c => tender(c.code)));

// What ISO 4217 was amended by since the list (amendment 176) and CLDR has no number of.
const amended = {XCG: {number: '532', digits: 2}};

// CLDR gives as digits those that people write; ISO, those that there are.
const listed = Object.fromEntries(iso4217.map(c => [c.code, c]));
const isoOf = code => amended[code] ?? listed[code] ?? {
	number: codes[code]?._numeric,
	digits: Number((money.fractions[code] ?? money.fractions.DEFAULT)._digits),
};

// No currency, and one for tests.
const noMoney = new Set(['XXX', 'XTS']);

const allCurrencies = [...new Set([...Object.keys(currencies.en), ...paidWith])].map(code => ({
	code,
	numeric_code: isoOf(code).number,
	name: currencies.en[code]?.displayName,
	name_uk: currencies.uk[code]?.displayName,
	symbol: currencies.en[code]?.['symbol-alt-narrow'] ?? currencies.en[code]?.symbol ?? code,
	decimal_places: isoOf(code).digits,
	is_active: paidWith.has(code),
})).filter(c => c.is_active || c.numeric_code && c.name_uk && !noMoney.has(c.code)).sort(byCode);

// How a language calls itself.
function ownName(code) {
	let own = code;
	try {
		own = languageNames(code)[code] ?? code;
	} catch (e) {
		if (e.code !== 'MODULE_NOT_FOUND') throw e;
	}
	return own === code ? iso6391.getNativeName(code) || languages.en[code] : own;
}

function direction(code) {
	const script = likely[code]?.split('-')[1] ?? 'Latn';
	return scriptMetadata[script].rtl === 'YES' ? 'RTL' : 'LTR';
}

// Serbo-Croatian was withdrawn from ISO 639-1 in 2000, for Serbian, Croatian and Bosnian.
const allLanguages = iso6393.filter(l => l.iso6391 && l.iso6391 !== 'sh').map(l => ({
	code: l.iso6391,
	code3: l.iso6393,
	name: languages.en[l.iso6391],
	name_uk: languages.uk[l.iso6391],
	native_name: ownName(l.iso6391),
	direction: direction(l.iso6391),
	is_active: true,
})).sort(byCode);

// Minutes east of UTC at noon of a day. Winter is where they are fewer.
const year = places.version.slice(0, 4);
const eastOf = (zone, at) => ({minutes: 0 - zone.utcOffset(at), abbreviation: zone.abbr(at)});
function standard(name) {
	const zone = moment.tz.zone(name);
	const [january, july] = ['01', '07'].map(month => eastOf(zone, Date.parse(`${year}-${month}-01T12:00:00Z`)));
	return july.minutes < january.minutes ? july : january;
}

function formatted(minutes) {
	const two = n => String(n).padStart(2, '0');
	const m = Math.abs(minutes);
	return `UTC${minutes < 0 ? '-' : '+'}${two(Math.floor(m / 60))}:${two(m % 60)}`;
}

// Where a zone is used in several countries, CLDR's short name begins with the one where it is.
const countryOf = (short, {countries}) => (countries.length > 1 ? short.slice(0, 2).toUpperCase() : countries[0]);

function city(names, spellings) {
	for (const s of spellings) {
		const found = s.split('/').reduce((within, part) => within?.[part], names)?.exemplarCity;
		if (found) return found;
	}
}

function timeZone(short, name, spellings) {
	const {minutes, abbreviation} = standard(name);
	const own = name in places.zones;
	return {
		name,
		abbreviation,
		utc_offset: minutes,
		utc_formatted: formatted(minutes),
		region: name.includes('/') ? name.split('/')[0] : 'Etc',
		country_code: own ? countryOf(short, places.zones[name]) : '',
		city: own ? city(cities.en, spellings) ?? name.split('/').at(-1).replaceAll('_', ' ') : '',
		city_uk: own ? city(cities.uk, spellings) ?? '' : '',
		is_active: own || name === 'UTC',
		aliases: spellings.filter(s => s !== name),
	};
}

// As ECMA-402 has it: what zone.tab of IANA lists is a time zone of its own, and so is UTC, which GMT stands for.
function allTimeZones() {
	const utc = zones.utc._alias + ' ' + zones.gmt._alias;
	return Object.entries(zones)
		.filter(([short, z]) => z._alias && !z._deprecated && !['utc', 'gmt', 'unk'].includes(short))
		.map(([short, z]) => timeZone(short, z._iana ?? z._alias.split(' ')[0], z._alias.split(' ')))
		.concat(timeZone('utc', 'UTC', utc.split(' ')))
		.sort((a, b) => (a.name < b.name ? -1 : 1));
}

const {dependencies} = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));
const lines = list => '[\n' + list.map(one => '\t\t' + JSON.stringify(one)).join(',\n') + '\n\t]';

writeFileSync(process.argv[2], `{
	"made_by": "make reference",
	"sources": ${JSON.stringify({...dependencies, 'IANA tz': places.version, 'ISO 4217': require('currency-codes').publishDate})},
	"countries": ${lines(countries)},
	"currencies": ${lines(allCurrencies)},
	"languages": ${lines(allLanguages)},
	"time_zones": ${lines(allTimeZones())}
}
`);
