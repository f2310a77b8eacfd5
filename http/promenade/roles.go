package promenade

import "gesta/http/web"

func (a api) roleRoutes() []web.Route { return nil }
