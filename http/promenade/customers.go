package promenade

import "gesta/http/web"

func (a api) customerRoutes() []web.Route { return nil }
