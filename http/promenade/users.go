package promenade

import "gesta/http/web"

func (a api) userRoutes() []web.Route { return nil }
