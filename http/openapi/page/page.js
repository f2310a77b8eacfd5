// One entry for each document, to choose from. Nothing here asks any server but the one that the page is from.
const sources = /* sources */ [];

Scalar.createApiReference('#reference', {
  sources,
  proxyUrl: '',
  telemetry: false,
  agent: { disabled: true },
  mcp: { disabled: true },
  withDefaultFonts: false,
  hideClientButton: true,
  showDeveloperTools: 'never',
});
