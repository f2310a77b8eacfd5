package promenade

import "gesta/http/web"

func (a api) referenceRoutes() []web.Route { return nil }
